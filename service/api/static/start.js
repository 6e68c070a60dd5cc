// Begins the page at /docs. A script of its own, so that the page needs no inline one.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });
