"""Folders upwards, files of the system, files that scanners look for, and addresses inside the network.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        3,
        "a folder upwards",
        r"(?:^|[^.\w])\.\.[/\\]",
        r"[/\\]\.\.(?:$|[;/\\?&])",
    ),
    (
        5,
        "folders upwards",
        r"\.\.[/\\]{1,3}[^/\\\n]{0,20}[/\\]{0,3}\.\.[/\\]",
        r"\.\.;/",
        r"\.{4}[/\\]{2}",
        r"\.\.\\/",
        r"(?:^|[/\\=])\.\.[/\\]{1,2}[a-z.]{1,40}$",
    ),
    (
        5,
        "a file of the system",
        r"[/\\]etc[/\\]{1,3}\.?[/\\]?(?:passwd|shadow|hosts|group|issue|hostname|ssh|nginx|apache2?|httpd"
        r"|crontab|mysql|sudoers|fstab|resolv|os-release|my\.cnf|ssl|php)",
        r"[/\\]proc[/\\]{1,3}(?:self|version|cpuinfo|net|mounts|\d)",
        r"[/\\]var[/\\]{1,3}(?:log|run/secrets|www|lib/mysql)[/\\]",
        r"[/\\](?:root|home[/\\][\w-]{1,30})[/\\]\.[a-z]",
        r"\bwin\.ini\b",
        r"\bboot\.ini\b",
        r"\bsystem32[/\\](?:config|drivers)",
        r"\bwinnt[/\\]",
        r"windows[/\\]{1,2}(?:system\.ini|repair|win\.ini)",
    ),
    (
        4,
        "a file that scanners look for",
        r"(?:^|[/\\])\.(?:env|git|svn|hg|aws|ssh|htaccess|htpasswd|bash_history|npmrc|dockerenv|ds_store"
        r"|vscode|kube)(?:$|[/.?\\])",
        r"\bwp-(?:config|login|admin|content|includes)\b",
        r"\bphpmyadmin\b",
        r"\bphpinfo\b",
        r"(?:^|/)(?:web|meta)-inf\b",
        r"\bid_(?:rsa|ed25519)\b",
        r"/(?:cgi-bin|vendor/phpunit|actuator|server-status|solr/admin|jenkins|manager/html|boaform|hnap1)\b",
        r"\.(?:php\d?|asp|aspx|jsp|cgi|bak|sql|swp|old)(?:$|[?~])",
        r"\bweb\.config\b",
        r"\bsettings\.py\b",
    ),
    (
        5,
        "an address for programs",
        r"\b(?:php|phar|expect|gopher|dict|netdoc|zip|glob|ldaps?|rmi|ogg|ssh2|jar"
        r"|compress\.\w{2,6}):(?://|file|https?)",
    ),
    (
        3,
        "a file as an address",
        r"\bfile:/{1,3}",
    ),
    (
        4,
        "an address inside the network",
        r"169\.254\.169\.254",
        r"\bmetadata\.google\.internal",
        r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d{2,5})?/(?:admin|server|metrics|actuator)",
    ),
    (
        4,
        "a file of the system, perhaps",
        r"(?:^|[^a-z])/etc/[a-z]",
        r"\betc[/\\](?:passwd|shadow)\b",
        r"/usr/local/(?:apache|nginx|lib/php|etc/)",
        r"\b(?:httpd|nginx|vsftpd|proftpd|sshd)[._]conf\b|\btomcat-users\.xml\b",
    ),
    (
        4,
        "steps that lead nowhere, to hide where a path leads",
        r"(?:\.{1,2}\\?/\\?){4}",
        r"\.{4}[/\\]",
        r"/\.\\/\.",
    ),
)
