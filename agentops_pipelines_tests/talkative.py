"""Sources full of words and numbers that must appear nowhere else: sentinels in every place where people's words stand.

Belongs here: what is planted where. Does not belong here: where it is looked for (test_openclaw_privacy,
test_privacy_end_to_end).
"""

from agentops_pipelines_tests.openclaw_states import (
    ARCHIVED_AT,
    Home,
    Line,
    assistant,
    cold_records,
    dumps,
    header,
    jsonl,
    other,
    run_events,
    tool_result,
    usage,
    user,
)

SECRET = "xyzzyplugh"
PHONE = "+4915199988877"
CHAT = "-1009998887776"
MAIL = "eve.adams@example.com"
SENTINELS = (SECRET, PHONE, PHONE.lstrip("+"), CHAT, CHAT.lstrip("-"), MAIL, "eve.adams")


def talkative_lines(session_id: str) -> list[Line | bytes]:
    """Every place of a transcript where words can stand, good and bad lines."""
    tool = {"type": "toolCall", "id": "c", "name": "exec", "arguments": {"command": SECRET}}
    thought = {"type": "thinking", "thinking": SECRET, "thinkingSignature": SECRET}
    failed = assistant(
        "a3",
        SECRET,
        usage=usage(0, 0, 0, 0, 0),
        stopReason="error",
        errorMessage=f"429 {SECRET} {PHONE}",
        errorCode=SECRET,
        errorType=SECRET,
        errorBody=SECRET,
    )
    cron = f"[cron:j1 call {PHONE}] {SECRET}"
    return [
        header(session_id, cwd=f"/home/{SECRET}", parentSession=f"/home/{SECRET}/p1.jsonl"),
        user("u1", f"{SECRET} {PHONE} {MAIL}"),
        user("u2", [{"type": "text", "text": SECRET}, {"type": "image", "data": SECRET}]),
        user("u3", cron, provenance={"kind": "internal_system", "sourceTool": "cron", "sourceSessionKey": PHONE}),
        user("u4", f"Task: mail {MAIL} | Job ID: w1 | Received: x\n\n{SECRET}"),
        user("u5", "x", idempotencyKey=f"announce:v1:agent:main:whatsapp:{PHONE}:user", sender={"id": PHONE}),
        assistant("a1", [thought, {"type": "text", "text": f"{SECRET} {PHONE}"}, tool]),
        assistant("a2", f"HEARTBEAT_OK {SECRET}"),
        failed,
        tool_result("t1", SECRET),
        other("compaction", line_id="c1", summary=SECRET, firstKeptEntryId="a"),
        other("reset", line_id="r1", reason=SECRET),
        other("custom_message", customType="x", content=SECRET),
        other(SECRET),
        {"type": "message", "id": "x", "message": {"role": SECRET, "content": SECRET}},
        dumps(user("u6", SECRET))[:-9],
        f"{SECRET} {PHONE}".encode(),
        dumps(user("u7", SECRET))[:-9] + dumps(user("u8", f"{SECRET} \ud83d")),
        assistant("a4", SECRET, usage=usage(SECRET)),
        assistant("a5", stopReason=f"because of {SECRET}"),
    ]


def talkative_home(home: Home) -> None:
    home.write("s1.jsonl", talkative_lines("s1"))
    home.write(f"s2.jsonl.reset.{ARCHIVED_AT}", [header("s2"), dumps(user("u1", SECRET))[:-5]], end=b"")
    home.write_packed(f"s3.jsonl.deleted.{ARCHIVED_AT}.zst", talkative_lines("s3"))
    home.write_packed("cold/0a.jsonl.zst", cold_records("s4", [header("s4"), user("u1", SECRET)]))
    key = f"agent:main:whatsapp:direct:{PHONE}"
    home.write_rows(
        {
            key: {
                "sessionId": "s1",
                "label": f"Chat with {PHONE} and {MAIL}",
                "origin": {"label": SECRET, "from": PHONE, "provider": "whatsapp"},
                "lastTo": PHONE,
                "subject": SECRET,
                "lastHeartbeatText": SECRET,
                "lastRunError": SECRET,
                "spawnedBy": f"agent:main:telegram:group:{CHAT}",
                "heartbeatIsolatedBaseSessionKey": f"agent:main:openai-user:{MAIL}",
                "usageFamilySessionIds": ["s0"],
            },
            f"whatsapp:{PHONE}": {"sessionId": "s2", "status": f"{SECRET} {SECRET}"},
            f"agent:main:telegram:group:{CHAT}:topic:{PHONE}": {"sessionId": "s3"},
        }
    )
    events = run_events("s1", f"announce:v1:{key}:r", key=key, systemPrompt=SECRET, messageProvider=f"a {SECRET}")
    home.write("s1.trajectory.jsonl", [*events, dumps(events[0])[:-7]])
    said = [line for line in talkative_lines("s8") if isinstance(line, dict) and line.get("message")]
    group = f"agent:main:telegram:group:{CHAT}:topic:{PHONE}"
    home.write("s8.trajectory.jsonl", run_events("s8", f"announce:v1:{group}:r", key=group, said=said, prompt=SECRET))
    database = home.database()
    database.put("s5", talkative_lines("s5")[:-4])
    database.put("s6", [header("s6"), user("u1", SECRET), assistant("a1", SECRET)], packed=True)
    database.put_session(key, "s5", {"label": PHONE, "delivery": {"to": PHONE}, "lastRunError": SECRET})
    database.put_window(key, "s6", channel="whatsapp")
    database.put_archive("s7", jsonl([header("s7"), user("u1", SECRET)]))
    database.put_runs("s5", events)
