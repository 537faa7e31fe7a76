"""Confirms that do not come are told to the operator."""

from structlog.testing import capture_logs

from gateway.broker.confirm_publisher import LATE_SECONDS, ConfirmPublisher


async def test_late_confirms_are_logged_once_and_so_is_their_end() -> None:
    publisher = ConfirmPublisher(lambda _: None, confirm_timeout=60)
    with capture_logs() as lines:
        for waited in (LATE_SECONDS, LATE_SECONDS + 1, LATE_SECONDS + 2, 0.0, 0.0):
            publisher._report_late(waited)
    assert [each["event"] for each in lines] == ["broker.confirms_late", "broker.confirms_resumed"]
