print("portproof")
