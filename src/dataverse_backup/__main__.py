"""``python -m dataverse_backup``."""

from dataverse_backup.cli import main

if __name__ == "__main__":
    main()
