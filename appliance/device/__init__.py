"""The board itself: what it is, what it draws, how warm it is, and what an answer costs in joules."""
