"""A cluster of real Apache Kafka brokers and an Apicurio Registry, on loopback.

`command_line` reads what is asked for, `up` starts a cluster, `commands` does all else to one.

Everything a cluster writes lies in its folder: settings, data, logs and a pid file a process.
`up` removes what an earlier cluster left there and starts from nothing.
"""
