"""HTTP: the API, its documents and the page, served by cheroot inside the appliance's own process."""
