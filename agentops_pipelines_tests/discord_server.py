"""Discord's webhook endpoints on loopback, with the behaviour of its documentation, for tests.

Checks the limits for real, keeps what it accepts, and misbehaves on demand: `script` holds what the next requests meet.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

WEBHOOK_ID = "123456789012345678"
TOKEN = "S3cret-Token_abcdefghijklmnopqrstuvwxyz0123456789"

_PATH = re.compile(r"/api(?P<version>/v\d+)?/webhooks/(?P<id>\d+)/(?P<token>[\w-]+)(?:/messages/(?P<message>\d+))?/?")
_TEXT_LIMITS = {"title": 256, "description": 4096}
_PATCHABLE = ("content", "embeds")


class Does(StrEnum):
    """What a request meets. `after` means: the message was accepted first."""

    RATE_LIMITED = "429 for this webhook"
    RATE_LIMITED_GLOBALLY = "429 for everything"
    RATE_LIMITED_BY_PROXY = "429 without JSON, as Cloudflare sends it"
    BREAKS = "500, nothing accepted"
    BREAKS_AFTER = "500 in HTML, after accepting"
    HANGS = "never answers"
    HANGS_AFTER = "never answers, after accepting"
    CUTS = "connection cut, nothing accepted"
    CUTS_AFTER = "connection cut, after accepting"
    BABBLES_AFTER = "200 without JSON, after accepting"
    IS_SILENT_AFTER = "204, after accepting, as without wait=true"
    REDIRECTS = "301 to the webhook itself"


@dataclass
class Message:
    """One message in the channel."""

    id: str
    payload: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class DiscordServer:
    """The channel behind one webhook."""

    url: str
    """The webhook URL, without a version."""
    retry_after: float = 0.01
    messages: dict[str, Message] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """(method, path with query) of all that came in."""
    accepted: list[dict[str, Any]] = field(default_factory=list)
    """The payloads of all requests that were accepted."""
    script: deque[Does] = field(default_factory=deque)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def only(self) -> Message:
        """The one message there should be."""
        (message,) = self.messages.values()
        return message


@contextmanager
def discord() -> Iterator[DiscordServer]:
    """A running server."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    state = DiscordServer(url=f"http://127.0.0.1:{http.server_port}/api/webhooks/{WEBHOOK_ID}/{TOKEN}")
    http.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _handle(self) -> None:
        state: DiscordServer = self.server.state  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with state.lock:
            state.requests.append((self.command, self.path))
            does = state.script.popleft() if state.script else None
            accepts = does is None or does.name.endswith("_AFTER")
            answer = self._answer(state, body) if accepts else (0, None)
        if does is None:
            self._send(*answer)
        elif does in (Does.RATE_LIMITED, Does.RATE_LIMITED_GLOBALLY):
            self._limit(state, is_global=does is Does.RATE_LIMITED_GLOBALLY)
        elif does is Does.RATE_LIMITED_BY_PROXY:
            self._send(429, "<html>1015</html>", headers={"Retry-After": str(state.retry_after)})
        elif does in (Does.BREAKS, Does.BREAKS_AFTER):
            self._send(500, "<html>Internal Server Error</html>")
        elif does is Does.BABBLES_AFTER:
            self._send(200, "<html>OK</html>")
        elif does is Does.IS_SILENT_AFTER:
            self._send(204, None)
        elif does is Does.REDIRECTS:
            self._send(301, "", headers={"Location": state.url})
        else:
            if does in (Does.HANGS, Does.HANGS_AFTER):
                state.released.wait()
            self.close_connection = True

    def _limit(self, state: DiscordServer, *, is_global: bool) -> None:
        headers = {"Retry-After": str(state.retry_after), "Via": "1.1 google"}
        headers |= {"X-RateLimit-Scope": "global" if is_global else "user"}
        headers |= {"X-RateLimit-Global": "true"} if is_global else {"X-RateLimit-Reset-After": str(state.retry_after)}
        body = {"message": "You are being rate limited.", "retry_after": state.retry_after, "global": is_global}
        self._send(429, body, headers=headers)

    def _send(self, status: int, body: Any, *, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, state: DiscordServer, body: bytes) -> tuple[int, Any]:
        address = urlsplit(self.path)
        match = _PATH.fullmatch(address.path)
        if match is None:
            return 404, {"message": "404: Not Found", "code": 0}
        if match["id"] != WEBHOOK_ID:
            return 404, {"message": "Unknown Webhook", "code": 10015}
        if match["token"] != TOKEN:
            return 401, {"message": "Invalid Webhook Token", "code": 50027}
        if self.command == "GET":
            return 200, {"id": WEBHOOK_ID, "type": 1}
        payload, files = self._payload(body)
        errors = _errors(payload, files)
        if errors:
            return 400, {"message": "Invalid Form Body", "code": 50035, "errors": errors}
        state.accepted.append(dict(payload))
        if self.command == "POST":
            return self._post(state, payload, files, wait=parse_qs(address.query).get("wait", ["false"])[0])
        return self._patch(state, str(match["message"]), payload, files)

    def _post(
        self, state: DiscordServer, payload: dict[str, Any], files: dict[str, bytes], *, wait: str
    ) -> tuple[int, Any]:
        if not (payload.get("content") or payload.get("embeds") or files):
            return 400, {"message": "Cannot send an empty message", "code": 50006}
        message = Message(id=str(10**17 + len(state.messages)), payload=payload, files=files)
        state.messages[message.id] = message
        return (200, _shown(message)) if wait.lower() in ("true", "1") else (204, None)

    def _patch(
        self, state: DiscordServer, message_id: str, payload: dict[str, Any], files: dict[str, bytes]
    ) -> tuple[int, Any]:
        message = state.messages.get(message_id)
        if message is None:
            return 404, {"message": "Unknown Message", "code": 10008}
        message.payload |= {key: payload[key] for key in _PATCHABLE if key in payload}
        # What is not sent again is back at its default: then everything mentioned would be told.
        message.payload["allowed_mentions"] = payload.get("allowed_mentions")
        message.payload["attachments"] = payload.get("attachments", [])
        message.files = files if "attachments" in payload else {**message.files, **files}
        return 200, _shown(message)

    def _payload(self, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/"):
            return json.loads(body or b"{}"), {}
        parsed = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        payload, files = {}, {}
        for part in parsed.get_payload():
            name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
            content = part.get_payload(decode=True)  # type: ignore[union-attr]
            if name == "payload_json":
                payload = json.loads(content)  # type: ignore[arg-type]
            else:
                files[str(name)] = content
        return payload, files  # type: ignore[return-value]


def _shown(message: Message) -> dict[str, Any]:
    return {"id": message.id, "type": 0, "webhook_id": WEBHOOK_ID, "content": message.payload.get("content", "")}


def _errors(payload: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """What is too long or refers to nothing, by path. Limits are inclusive; texts count trimmed, in UTF-16 units."""
    errors: dict[str, Any] = {}

    def check(path: str, text: object, limit: int) -> int:
        size = len(str(text or "").strip().encode("utf-16-le")) // 2
        if size > limit:
            errors[path] = {"code": "BASE_TYPE_MAX_LENGTH", "message": f"Must be {limit} or fewer in length."}
        return size

    check("content", payload.get("content"), 2000)
    embeds = payload.get("embeds") or []
    if len(embeds) > 10:
        errors["embeds"] = {"code": "BASE_TYPE_MAX_LENGTH"}
    total = 0
    for index, embed in enumerate(embeds):
        path = f"embeds.{index}"
        total += sum(check(f"{path}.{key}", embed.get(key), limit) for key, limit in _TEXT_LIMITS.items())
        total += check(f"{path}.footer.text", (embed.get("footer") or {}).get("text"), 2048)
        total += check(f"{path}.author.name", (embed.get("author") or {}).get("name"), 256)
        fields = embed.get("fields") or []
        if len(fields) > 25:
            errors[f"{path}.fields"] = {"code": "BASE_TYPE_MAX_LENGTH"}
        for number, item in enumerate(fields):
            for key, limit in (("name", 256), ("value", 1024)):
                size = check(f"{path}.fields.{number}.{key}", item.get(key), limit)
                total += size
                if not size:
                    errors[f"{path}.fields.{number}.{key}"] = {"code": "BASE_TYPE_REQUIRED"}
    if total > 6000:
        errors["embeds"] = {"code": "MAX_EMBED_SIZE_EXCEEDED"}
    for attachment in payload.get("attachments") or []:
        check("attachments.description", attachment.get("description"), 1024)
        if f"files[{attachment['id']}]" not in files:
            errors["attachments"] = {"code": "ATTACHMENT_NOT_FOUND"}
    return errors
