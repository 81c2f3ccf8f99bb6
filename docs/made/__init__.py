"""The pages of the site that are made of the repository: each file's pages() gives their text by name."""
