"""The properties of brokers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

MODULES = "org.apache.kafka.common.security"

PROTOCOLS = ("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LIMITED:SASL_PLAINTEXT,"
             "SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,MUTUAL:SSL,EXPIRED:SSL")


@dataclass
class SecurePorts:
    """The ports of the listeners of --secure."""

    sasl: int
    sasl_tls: int
    mutual: int
    expired: int

    def listeners(self, host: str) -> list[str]:
        """The listeners, on a host."""
        return [f"SASL://{host}:{self.sasl}", f"SASLTLS://{host}:{self.sasl_tls}",
                f"MUTUAL://{host}:{self.mutual}", f"EXPIRED://{host}:{self.expired}"]


@dataclass
class Node:
    """One of a cluster's brokers, which is a controller too."""

    number: int
    controller: int  # these are ports
    plain: int = 0
    acl: Optional[int] = None
    secure: Optional[SecurePorts] = None
    more: Sequence[str] = ()  # properties, KEY=VALUE


def write(folder: Path, node: Node, voters: str, copies: int) -> None:
    """Writes the properties of a broker; the last one of a key counts."""
    text = base(folder, node, voters, copies)
    if node.acl or node.secure:
        text += AUTHORIZER
    if node.acl:
        text += ACL
    if node.secure:
        text += secure(folder)
    text += "".join(f"{line}\n" for line in node.more)
    (folder / f"broker-{node.number}.properties").write_text(text)


def base(folder: Path, node: Node, voters: str, copies: int) -> str:
    """What every broker has."""
    in_sync = 2 if copies > 1 else 1
    listeners = [f"PLAINTEXT://127.0.0.1:{node.plain}"]
    if node.acl:
        listeners.append(f"LIMITED://127.0.0.1:{node.acl}")
    advertised = list(listeners)
    if node.secure:
        listeners += node.secure.listeners("127.0.0.1")
        # By name, which is what certificates are for.
        advertised += node.secure.listeners("localhost")
    listeners.append(f"CONTROLLER://127.0.0.1:{node.controller}")
    return f"""\
process.roles=broker,controller
node.id={node.number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners={",".join(listeners)}
advertised.listeners={",".join(advertised)}
listener.security.protocol.map={PROTOCOLS}
log.dirs={folder}/data-{node.number}

# What a cautious production cluster does, so that tests meet it: topics are created on purpose,
# with a copy on each broker.
auto.create.topics.enable=false
num.partitions=6
default.replication.factor={copies}
min.insync.replicas={in_sync}

# The topics that Kafka makes for itself: few partitions, so that they are there at once.
offsets.topic.num.partitions=3
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=3
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}

# Consumer groups start at once, instead of waiting 3 s for more members.
group.initial.rebalance.delay.ms=0
# The log cleaner's buffer is 128 MiB unless told otherwise, a quarter of this heap.
log.cleaner.dedupe.buffer.size=16777216
"""


AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
# Who comes without a name, over PLAINTEXT, may do everything: brokers, controllers and tests.
super.users=User:ANONYMOUS
"""

ACL = f"""\
sasl.enabled.mechanisms=PLAIN
listener.name.limited.sasl.enabled.mechanisms=PLAIN
listener.name.limited.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required \
user_limited="limited-secret";
"""


def secure(folder: Path) -> str:
    """What the listeners of --secure need beyond their ports."""
    text = sasl("sasl") + sasl("sasltls")
    for listener, certificate in (("sasltls", "broker"), ("mutual", "broker"),
                                  ("expired", "expired")):
        text += tls(listener, folder / "secure" / f"{certificate}.pem",
                    folder / "secure" / "ca.pem")
    return text + r"""listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/
"""


def sasl(listener: str) -> str:
    """A listener's ways to sign in with a name."""
    of = f"listener.name.{listener}"
    return f"""\
{of}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
{of}.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required \
user_writer="plain-secret" user_limited="plain-secret";
{of}.scram-sha-256.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;
{of}.scram-sha-512.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;
{of}.oauthbearer.sasl.jaas.config={MODULES}.oauthbearer.OAuthBearerLoginModule required \
unsecuredLoginStringClaim_sub="broker";
{of}.oauthbearer.connections.max.reauth.ms=3600000
"""


def tls(listener: str, own: Path, trusted: Path) -> str:
    """A listener's certificate, and who must have signed its clients'."""
    of = f"listener.name.{listener}"
    return f"""\
{of}.ssl.keystore.type=PEM
{of}.ssl.keystore.location={own}
{of}.ssl.truststore.type=PEM
{of}.ssl.truststore.location={trusted}
"""
