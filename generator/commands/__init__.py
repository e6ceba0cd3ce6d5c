"""One module per command, one public function each."""
