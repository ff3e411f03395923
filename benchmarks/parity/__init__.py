"""Does another service, or Opal itself, hold a contract? Asked over HTTP."""
