"""The table of commands and replies, as the protocol has it."""

WORDS = {
    "CMD1": "Apple",
    "CMD2": "Cat",
    "CMD3": "Dog",
    "CMD4": "Rat",
    "CMD5": "Boy",
    "CMD6": "Girl",
    "CMD7": "Toy",
}
