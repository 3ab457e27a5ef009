//! The texts of the suite, from the files beside the sources.

use super::Query;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../suite/", $name))
    };
}

pub(super) static QUERIES: &[Query] = &[
    Query {
        name: "zone-load",
        asks: "How loaded is each zone?",
        definition: file!("zone-load/definition.md"),
        schema: file!("zone-load/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("zone-load/flink.sql"),
        ],
        streams: file!("zone-load/Streams.java"),
        ksqldb: &[file!("ksqldb/telemetry.sql"), file!("zone-load/ksqldb.sql")],
    },
    Query {
        name: "hot-machines",
        asks: "Which machines are hot for a minute?",
        definition: file!("hot-machines/definition.md"),
        schema: file!("hot-machines/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("hot-machines/flink.sql"),
        ],
        streams: file!("hot-machines/Streams.java"),
        ksqldb: &[file!("ksqldb/telemetry.sql"), file!("hot-machines/ksqldb.sql")],
    },
    Query {
        name: "anomaly-sessions",
        asks: "When did each machine have anomalies, and for how long?",
        definition: file!("anomaly-sessions/definition.md"),
        schema: file!("anomaly-sessions/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("anomaly-sessions/flink.sql"),
        ],
        streams: file!("anomaly-sessions/Streams.java"),
        ksqldb: &[file!("ksqldb/telemetry.sql"), file!("anomaly-sessions/ksqldb.sql")],
    },
    Query {
        name: "failed-by-outage",
        asks: "Which jobs failed as their machine went down?",
        definition: file!("failed-by-outage/definition.md"),
        schema: file!("failed-by-outage/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/status_log.sql"),
            file!("flink/jobs.sql"),
            file!("failed-by-outage/flink.sql"),
        ],
        streams: file!("failed-by-outage/Streams.java"),
        ksqldb: &[
            file!("ksqldb/status_log.sql"),
            file!("ksqldb/jobs.sql"),
            file!("failed-by-outage/ksqldb.sql"),
        ],
    },
    Query {
        name: "load-by-memory",
        asks: "How loaded are machines by the size of their memory?",
        definition: file!("load-by-memory/definition.md"),
        schema: file!("load-by-memory/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("flink/machines.sql"),
            file!("load-by-memory/flink.sql"),
        ],
        streams: file!("load-by-memory/Streams.java"),
        ksqldb: &[
            file!("ksqldb/telemetry.sql"),
            file!("ksqldb/machines.sql"),
            file!("load-by-memory/ksqldb.sql"),
        ],
    },
    Query {
        name: "fleet-status",
        asks: "How many machines are healthy, degraded, down, in each zone?",
        definition: file!("fleet-status/definition.md"),
        schema: file!("fleet-status/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/status.sql"),
            file!("flink/machines.sql"),
            file!("fleet-status/flink.sql"),
        ],
        streams: file!("fleet-status/Streams.java"),
        ksqldb: &[
            file!("ksqldb/status.sql"),
            file!("ksqldb/machines.sql"),
            file!("fleet-status/ksqldb.sql"),
        ],
    },
    Query {
        name: "busiest",
        asks: "Which three machines of each zone served the most requests?",
        definition: file!("busiest/definition.md"),
        schema: file!("busiest/output.avsc"),
        flink: &[file!("flink/set.sql"), file!("flink/telemetry.sql"), file!("busiest/flink.sql")],
        streams: file!("busiest/Streams.java"),
        ksqldb: &[file!("busiest/ksqldb.sql")],
    },
    Query {
        name: "distinct-reporters",
        asks: "How many machines of each zone have reported so far?",
        definition: file!("distinct-reporters/definition.md"),
        schema: file!("distinct-reporters/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("distinct-reporters/flink.sql"),
        ],
        streams: file!("distinct-reporters/Streams.java"),
        ksqldb: &[file!("distinct-reporters/ksqldb.sql")],
    },
    Query {
        name: "deduplicated",
        asks: "How many readings has each zone, each counted once?",
        definition: file!("deduplicated/definition.md"),
        schema: file!("deduplicated/output.avsc"),
        flink: &[
            file!("flink/set.sql"),
            file!("flink/telemetry.sql"),
            file!("deduplicated/flink.sql"),
        ],
        streams: file!("deduplicated/Streams.java"),
        ksqldb: &[file!("deduplicated/ksqldb.sql")],
    },
];
