"""Features of houses, shared by several programs."""

MARKS = {"Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}


def fill_ground(frame):
    """The median of the zone where the ground is not known."""
    frame = frame.copy()
    frame["lot"] = frame.groupby("zone")["lot"].transform(lambda column: column.fillna(column.median()))
    return frame


def add_age(frame, now):
    frame["age"] = now - frame["year"]
    return frame


def encode_quality(column):
    return column.map(MARKS)
