"""Draws the distributions of command → reply times as an SVG, for benches/compare."""
import math

COLOURS = {"ours": "#d1495b", "libmosquitto, nodelay": "#00798c", "libmosquitto": "#66a182", "paho": "#edae49"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 400, 230, 60, 56, 70
LEAST, MOST = 0.005, 200.0  # ms


def x_of(milliseconds):
    share = math.log(min(max(milliseconds, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return share * WIDTH


def curve(times):
    """The share of commands (upwards) that had their reply within a time (to the right)."""
    times = sorted(times)
    steps = [i / 200 for i in range(201)]
    points = [(x_of(times[round(step * (len(times) - 1))]), HEIGHT * (1 - step)) for step in steps]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def panel(times, echo, kind, qos, x, y):
    parts = [f'<g transform="translate({x},{y})">',
             f'<text class="title" x="0" y="-10">QoS {qos}, {kind} broker</text>',
             f'<rect width="{WIDTH}" height="{HEIGHT}" class="frame"/>']
    for tick in (0.01, 0.1, 1, 10, 100):
        at = x_of(tick)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}"/>'
                     f'<text x="{at:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{tick:g} ms</text>')
    for share in (0, 25, 50, 75, 100):
        at = HEIGHT * (1 - share / 100)
        parts.append(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
                     f'<text x="-6" y="{at + 4:.1f}" text-anchor="end">{share} %</text>')
    parts.append(f'<polyline class="echo" points="{curve(echo)}"/>')
    for name, colour in COLOURS.items():
        if (kind, qos, name) in times:
            parts.append(f'<polyline class="curve" stroke="{colour}" points="{curve(times[kind, qos, name])}"/>')
    return "\n".join([*parts, "</g>"])


def plot(times, echo, path):
    """`times` maps (kind of broker, QoS, device) to milliseconds."""
    full_width = 2 * (LEFT + WIDTH) + GAP
    full_height = 2 * (TOP + HEIGHT) + 80
    legend = [*COLOURS.items(), ("TCP echo: the limit", "#888")]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full_width} {full_height}" font-family="sans-serif" font-size="12">',
             "<style>.title{font-weight:bold}.frame{fill:#fff;stroke:#999}.grid{stroke:#e4e4e4}"
             ".curve{fill:none;stroke-width:2}.echo{fill:none;stroke:#888;stroke-width:2;stroke-dasharray:4 3}</style>",
             f'<rect width="{full_width}" height="{full_height}" fill="#fff"/>']
    for column, kind in enumerate(("default", "nodelay")):
        for line, qos in enumerate((1, 2)):
            x = LEFT + column * (WIDTH + GAP)
            y = TOP + line * (TOP + HEIGHT)
            parts.append(panel(times, echo, kind, qos, x, y))
    for number, (name, colour) in enumerate(legend):
        x = LEFT + number * 175
        y = full_height - 24
        parts.append(f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
                     f'<text x="{x + 30}" y="{y + 4}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]))
