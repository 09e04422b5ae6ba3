"""Who hears of a run: people through channels, and what watches through files and calls."""
