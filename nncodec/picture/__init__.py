"""Images and their pixels: areas, colour modes, regions; reading and writing image files."""
