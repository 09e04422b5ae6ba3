"""What happened: runs, attempts, copies and where each datafile stands."""
