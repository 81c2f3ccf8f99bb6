"""Networks that know digits and faces, whose weights come with the package: metrics and losses use their features."""
