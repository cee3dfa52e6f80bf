"""What an inventory may say, one file per topic."""
