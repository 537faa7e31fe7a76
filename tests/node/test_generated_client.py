"""A client in TypeScript: generated types, checked by the compiler, against a running bus."""

import json
import shutil
from pathlib import Path

from tests.builders import FREE
from tests.bus import Bus
from tests.node.conftest import Node

CLIENT = Path(__file__).with_name("client.mts")
OPTIONS = ("--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022")


def test_a_generated_client_publishes_receives_and_reads_a_problem(
    node: Node, bus: Bus, tmp_path: Path
) -> None:
    document = tmp_path / "openapi.json"
    document.write_bytes(bus.http.get("/openapi.json").content)
    generator = "node_modules/openapi-typescript/bin/cli.js"
    made = node(generator, str(document), "-o", str(tmp_path / "api.ts"))
    assert made.returncode == 0, made.stderr
    shutil.copy(CLIENT, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(
        Path(node("-p", "process.cwd()").stdout.strip()) / "node_modules"
    )
    compiled = node("node_modules/typescript/bin/tsc", *OPTIONS, str(tmp_path / "client.mts"))
    assert compiled.returncode == 0, compiled.stdout
    uji = bus.actor("uji")
    url = str(bus.http.base_url)
    done = node(str(tmp_path / "client.mjs"), url, uji.id, uji.secret, FREE)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["state"] == "active"
    assert answer["receipt"] == answer["received"] == answer["sent"]
    assert answer["settled"] == ["settled"]
    assert answer["problem"]["status"] == 404
    assert answer["problem"]["type"].endswith("/not-found")
    assert uji.delete("/v1/subscriptions/typescript").status_code == 200
