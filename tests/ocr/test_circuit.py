"""The rules of a breaker, from one circuit to the next."""

from dataclasses import replace

from app.ocr.circuit import PROBE_SECONDS, Circuit, Gate, Position, Rules

RULES = Rules(failures=3, open_seconds=30, max_open_seconds=100)
REASON = "ocr_unavailable"


def after_failures(*times: float, rules: Rules = RULES) -> Circuit:
    circuit = Circuit()
    for at in times:
        circuit = rules.failed(circuit, at, REASON, probe=None)
    return circuit


def test_failures_in_a_row_open_it() -> None:
    """Three within a minute do, two don't."""
    assert after_failures(0, 1).state is Position.CLOSED
    opened = after_failures(0, 1, 2)
    assert (opened.state, opened.opened_at, opened.until, opened.reason) == (Position.OPEN, 2, 32, REASON)


def test_a_success_between_failures_starts_the_count_again() -> None:
    """Only failures in a row speak against an engine."""
    circuit = RULES.succeeded(after_failures(0, 1), 1)
    assert RULES.failed(circuit, 2, REASON, probe=None).state is Position.CLOSED


def test_failures_of_long_ago_do_not_count() -> None:
    """A failure that is older than a minute is none."""
    assert after_failures(0, 40, 61).state is Position.CLOSED
    assert after_failures(0, 40, 60).state is Position.OPEN
    assert after_failures(0, 40, 61, 90).state is Position.OPEN


def test_an_open_one_lets_nobody_through_until_its_time_is_up() -> None:
    """Then one caller is the probe, and the others are told to come back soon."""
    opened = after_failures(0, 1, 2)
    unchanged, shut = RULES.asked(opened, 12)
    assert (unchanged, shut) == (opened, Gate(allowed=False, retry_in_seconds=20, reason=REASON))
    probing, gate = RULES.asked(opened, 32)
    assert (gate.allowed, gate.probe, probing.state) == (True, True, Position.HALF_OPEN)
    _, second = RULES.asked(probing, 33)
    assert not second.allowed
    assert 0 < second.retry_in_seconds <= 5


def test_a_probe_that_never_reports_back_is_given_up() -> None:
    """Its worker may have died; the next caller is the next probe."""
    probing, _ = RULES.asked(after_failures(0, 1, 2), 32)
    assert not RULES.asked(probing, 32 + PROBE_SECONDS - 1)[1].allowed
    assert RULES.asked(probing, 32 + PROBE_SECONDS)[1].probe


def test_the_time_doubles_with_each_failed_probe_up_to_the_longest() -> None:
    """30 s, 60 s, 100 s, 100 s; a success ends that, and the next opening is short again."""
    circuit, now, waited = after_failures(0, 1, 2), 2.0, []
    for _ in range(4):
        waited.append(circuit.until - now)
        now = circuit.until
        circuit, _ = RULES.asked(circuit, now)
        circuit = RULES.failed(circuit, now, REASON, probe=True)
    assert waited == [30, 60, 100, 100]
    assert circuit.opened_at == 2
    probing, _ = RULES.asked(circuit, circuit.until)
    assert RULES.succeeded(probing, circuit.until) == Circuit()


def test_thousands_of_failed_probes_do_no_harm() -> None:
    """An engine may be away for months."""
    circuit = replace(after_failures(0, 1, 2), state=Position.HALF_OPEN, failed_probes=5000)
    assert RULES.failed(circuit, 10, REASON, probe=True).until == 110


def test_a_call_from_before_the_opening_neither_closes_nor_reopens_it() -> None:
    """While open nothing counts; while half-open, a failure that is known not to be the probe's doesn't."""
    opened = after_failures(0, 1, 2)
    assert RULES.succeeded(opened, 3) == opened
    assert RULES.failed(opened, 3, REASON, probe=None) == opened
    probing, _ = RULES.asked(opened, 32)
    assert RULES.failed(probing, 33, REASON, probe=False) == probing
    assert RULES.failed(probing, 33, REASON, probe=None).state is Position.OPEN
    assert RULES.succeeded(probing, 33).state is Position.CLOSED


def after_timeouts(*times: float) -> Circuit:
    circuit = Circuit()
    for at in times:
        circuit = RULES.timed_out(circuit, at)
    return circuit


def test_jobs_that_do_not_end_open_it() -> None:
    """Three within an hour, whatever else the engine answers between them; one that ends starts the count again."""
    assert after_timeouts(0, 3000, 3601).state is Position.CLOSED
    two = RULES.succeeded(RULES.failed(after_timeouts(0, 900), 901, REASON, probe=None), 902)
    opened = RULES.timed_out(two, 1800)
    assert (opened.state, opened.reason, opened.until) == (Position.OPEN, "ocr_timeout", 1830)
    assert RULES.timed_out(RULES.ended(two), 1800).state is Position.CLOSED


def test_an_engine_that_gets_nothing_done_is_asked_about_what_it_has() -> None:
    """It is sent no more, but for a probe now and then, ever more rarely; the first job that ends closes it."""
    circuit, now, waited = after_timeouts(0, 1, 2), 2.0, []
    for _ in range(4):
        waited.append(circuit.until - now)
        assert not RULES.asked(circuit, now)[1].allowed
        assert RULES.asked(circuit, now, of_jobs=True) == (circuit, Gate(allowed=True))
        now = circuit.until
        circuit, gate = RULES.asked(circuit, now)
        assert gate.probe
        assert RULES.asked(circuit, now, of_jobs=True)[1] == Gate(allowed=True)
        assert RULES.succeeded(circuit, now, probe=False) == circuit
        circuit = RULES.succeeded(circuit, now, probe=True)
    assert waited == [30, 60, 100, 100]
    assert RULES.ended(circuit) == Circuit()
    failing = RULES.failed(RULES.asked(circuit, circuit.until)[0], circuit.until, REASON, probe=True)
    assert (failing.state, failing.reason) == (Position.OPEN, REASON)
    assert not RULES.asked(failing, failing.until - 1, of_jobs=True)[1].allowed


def test_a_job_that_ends_says_nothing_of_calls_that_fail() -> None:
    """What is open for those stays so until a call goes well."""
    opened = after_failures(0, 1, 2)
    assert RULES.ended(opened) == opened
    assert RULES.timed_out(opened, 3) == opened
