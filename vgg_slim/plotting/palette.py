"""Colors that several kinds of figures share."""

TEXT = '#333333'
LINE = '#999999'  # of lines that guide the eye
BLUE = '#4c78a8'
ORANGE = '#e07b54'
