//! The program, and the broker and the registry that it brings: as a user runs it, by processes of its
//! own, and by its parts where a process would show less. None of it needs anything but this machine.

mod answers;
mod bad_input;
mod broker_faults;
mod check;
mod closing;
mod command_line;
mod determinism;
mod doctor;
mod embedded;
mod figures;
mod output;
mod preview;
mod report;
mod schedule;
mod score;
mod texts;

#[path = "../support/mutation.rs"]
mod mutation;
#[path = "../support/options.rs"]
mod options;
#[path = "../../crates/model/tests/model/support/parts.rs"]
mod parts;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../crates/model/tests/model/support/options.rs"]
mod words;
#[path = "../support/worker.rs"]
mod worker;
