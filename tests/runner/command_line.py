"""The command line of tests/run."""

import sys
from contextlib import nullcontext
from typing import NoReturn, Sequence

from cluster.interrupts import end_in_order

from . import checks, machine, parts, tests
from .broker import serving
from .steps import ROOT, Failure, Steps, call

USAGE = """\
usage: tests/run [--model] [--program] [--real] [CARGO-TEST-ARGUMENT...]

Runs every check and every test, those against real Kafka and a real registry included; for
example `tests/run --test real verify::` those of one file. These run a part of the tests:

  --model    those of the simulation alone: quick, and nothing written in C is compiled
  --program  those of the program, of its own broker and of its registry
  --real     those against real Kafka and a real registry

The broker and registry, which only a run with the real tests needs, are the first of these that
this machine has:
  1. those named by FLEETSTORM_TEST_BOOTSTRAP and FLEETSTORM_TEST_REGISTRY (and, for the tests of
     a broker that refuses, FLEETSTORM_TEST_ACL_BOOTSTRAP and the others of
     `tests/cluster/cluster help`);
  2. Docker with Compose: compose/kafka.yml, on KAFKA_PORT (9092) and REGISTRY_PORT (8081);
  3. Java 17 and Maven: tests/cluster/cluster, on free ports.
What this script starts it stops, however it ends.
"""


def main(arguments: list[str]) -> NoReturn:
    """Runs what is asked for, and ends with 0 where all of it passed."""
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        sys.exit(0)
    end_in_order()
    steps = Steps()
    try:
        run_all(steps, *parts.choose(arguments))
    except Failure as failure:
        if str(failure):
            print(f"\ntests/run: {failure}", file=sys.stderr)
        fail(steps, failure.code)
    except SystemExit as end:  # A signal.
        fail(steps, int(end.code or 0))
    steps.end()
    print(f"\ntests/run: all passed in {steps.seconds()} s")
    sys.exit(0)


def fail(steps: Steps, code: int) -> NoReturn:
    """Ends, and says where."""
    if steps.name:
        print(f'\ntests/run: failed in the step "{steps.name}", after {steps.seconds()} s',
              file=sys.stderr)
    sys.exit(code)


def run_all(steps: Steps, chosen: Sequence[str], arguments: Sequence[str]) -> None:
    """Goes through all steps."""
    real = not chosen or "real" in chosen

    steps.begin("What this machine has")
    broker = machine.look(real, compiles_c=list(chosen) != ["model"])

    steps.begin("Formatting")
    checks.formatting()

    steps.begin("Parts of the tests")
    parts.check()

    steps.begin("Lints")
    checks.lints(parts.workspace(chosen))
    steps.begin("Documentation")
    checks.documentation(parts.workspace(chosen))

    if real:
        steps.begin("Independent readers (Python)")
        checks.readers()
        steps.begin("Broker and registry")
    with serving(broker) if real else nullcontext():
        if real:
            prepare_real(steps, broker)
        steps.begin("Tests")
        tests.run(chosen, arguments, real)
        if real and not arguments:
            steps.begin("Tests of writing and verifying, on the embedded broker")
            tests.run_embedded()
        steps.end()


def prepare_real(steps: Steps, broker: str) -> None:
    """What the real tests need besides a broker and a registry."""
    if broker == "java":
        steps.begin("Partitioning vectors, from the Java client")
        checks.partitioning_vectors()
    if machine.has_java():
        steps.begin("Apache Flink")
        call(ROOT / "tests" / "flink" / "fetch", checks.PIP)
        steps.begin("Apicurio's and Confluent's serializers")
        call(ROOT / "tests" / "registry" / "fetch")
        steps.begin("Kafka Streams")
        call(ROOT / "tests" / "streams" / "fetch")
