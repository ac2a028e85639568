"""What an answer costs: closed forms (`table1`, `counting`, `tables`) and measurements (`measuring`, `bench`)."""
