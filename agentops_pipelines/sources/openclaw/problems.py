"""Why an input could not be used: the fixed vocabulary of the quarantine.

Belongs here: every reason and its meaning. A reason never quotes what the input says.
"""

REASONS: dict[str, str] = {
    "broken_json": "not a JSON value; position is the line (1-based), or the seq inside SQLite",
    "nul_block": "a block of NUL bytes, as a crash leaves behind",
    "torn_line": "a line that a crash cut short and the next line was appended to; the second half was read",
    "unterminated_line": "the last line has no end and does not parse, in a file that nobody writes any more",
    "line_too_long": "a line longer than the reader keeps in memory",
    "wrong_type": "a value of another type than its field has",
    "unknown_line_type": "a line type that this version does not know",
    "unknown_role": "a message role that this version does not know",
    "unknown_header_version": "a transcript header of a version this reader was not made for; its lines are read",
    "negative_tokens": "a token count below zero",
    "tokens_out_of_range": "a token count that no call can have",
    "cost_out_of_range": "a cost that no call can have; the line was read without it",
    "timestamp_out_of_range": "a time that is none, or outside 2000 to 2100; the line was read if it has another time",
    "no_timestamp": "no time at all",
    "unreadable": "the file or directory cannot be opened (permission, symbolic link loop, input/output error)",
    "not_a_file": "a directory, pipe or device with the name of a file",
    "corrupt_sqlite": "SQLite finds the database damaged; position 0, or the last seq that could be read",
    "sqlite_keeps_changing": "the database changed during every attempt to copy it; it is tried again next time",
    "corrupt_zstd": "compressed content that does not decompress",
    "corrupt_gzip": "compressed content that does not decompress",
    "more_problems": "the item has more problems than are listed",
}
"""Every reason and its meaning."""

MAX_LISTED = 100
"""Problems listed for one item; a binary file with the name of a transcript must not flood the quarantine."""
