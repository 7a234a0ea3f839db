"""Limits to reading: by address and by person, and never to what reports."""

from pathlib import Path

from tests.server import served

_ELSEWHERE = {"X-Forwarded-For": "2001:db8:1:2::7"}
_SAME_NETWORK = {"X-Forwarded-For": "2001:db8:1:2:ffff::1"}


def test_who_asks_too_much_waits_and_who_reports_does_not(sqlite_url: str, tmp_path: Path) -> None:
    limits = {"read_limit": "3/hour", "read_limit_of_person": "5/hour"}
    with served(sqlite_url, tmp_path, **limits) as server:
        token = {"Authorization": f"Bearer {server.token}"}

        def statuses(count: int, headers: dict[str, str]) -> list[int]:
            return [server.http.get("/api/builds", headers=headers).status_code for _ in range(count)]

        assert statuses(4, {}) == [200, 200, 200, 429]
        refused = server.http.post("/graphql", json={"query": "{ builds { totalCount } }"})
        assert refused.status_code == 429
        assert refused.json()["error"] == "READS_LIMITED"
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        # Another address is another reader, and so is a person, wherever they are.
        assert statuses(2, _ELSEWHERE) + statuses(2, _SAME_NETWORK) == [200, 200, 200, 429]
        assert statuses(3, token) + statuses(3, {**token, **_ELSEWHERE}) == [200] * 5 + [429]
        assert server.http.get("/healthz").status_code == 200
        assert [server.post("/ms1/specs/new/", {"spec": 7}).status_code for _ in range(9)] == [400] * 9
