"""The colours of all pictures."""

# Colours that colour-blind readers can tell apart (Okabe and Ito 2002, "Color Universal Design"); of its eight,
# yellow is too pale for a line on white.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
