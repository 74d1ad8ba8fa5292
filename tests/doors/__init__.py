"""Nobody gets through a door they may not: every route, asked by everybody there is."""
