"""The OpenAPI 3.1 document and its page. Importing this package registers how our fields and tokens are described."""
