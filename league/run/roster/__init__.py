"""Who is in a run and how strong: entrants, ratings, standings, and the policies that names mean."""
