"""Services and folders that stores and destinations share: how each is reached, and what its errors mean."""
