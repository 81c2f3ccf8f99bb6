"""The tape as a picture: boxes and edges, folded by layer, laid out from left to right; and a formula step by step."""
