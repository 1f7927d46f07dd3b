"""The alpha language: expressions over bars that cannot see the future."""
