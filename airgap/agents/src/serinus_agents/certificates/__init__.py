"""What cert-manager would do for Certificates of self-signed and CA issuers.

Holds: what a Certificate asks for (`wanted`), whether it is due (`due`), the signing (`signing`), what to
write (`deciding`), all pure but for the keys that are made; and the loop.

Must not: delete or list Secrets, or issue what it can only issue in part; that gets a condition that says so.
"""
