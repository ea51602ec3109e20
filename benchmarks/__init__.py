"""What `make bench` measures: the package against training loops as people write them."""
