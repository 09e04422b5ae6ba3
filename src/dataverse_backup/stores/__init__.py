"""Where the bytes are: one of Dataverse's named storage configurations each."""
