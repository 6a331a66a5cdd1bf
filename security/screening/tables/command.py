"""Programs behind a separator, and other ways into a shell.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        5,
        "a program after a separator",
        r"(?:[;|&\n]|\$\() ?(?:sudo |nohup )?(?:cat|ls|id|whoami|uname|wget|curl|nc|ncat|netcat|bash|sh"
        r"|zsh|ksh|python3?|perl|ruby|php|ping|nslookup|dig|telnet|rm|chmod|chown|kill|ps|env|printenv"
        r"|echo|sleep|ifconfig|ipconfig|netstat|dir|type|net|powershell|cmd|tasklist|touch|head|tail|less"
        r"|more|find|grep|awk|sed|tee|xargs|base64|ssh|scp|ftp|tftp|certutil|bitsadmin|reg|wmic|mount"
        r"|nohup|crontab|useradd|passwd|sudo|su|reboot|hostname|pwd|which|mkfifo|dd|tar|socat|systeminfo"
        r"|mv|cp|ln|printf|busybox)\b(?:\.exe)?[ <]{1,2}['\"]?(?:-{1,2}[a-z]|[/~$<>%*\\]|\.{1,2}/|https?:"
        r"|\d{1,3}\.\d|\w:\\)",
    ),
    (
        5,
        "a program after a separator",
        r"(?:[;\n]|&&|\|\||\$\() ?(?:whoami|uname|ifconfig|ipconfig|printenv|netstat|systeminfo|tasklist|ls"
        r"|pwd|id|net user|cat \w{1,30}|reboot|sleep \d{1,5}|shutdown -\w|ping \w[\w.-]{3,60}"
        r"|nslookup [\w$`-]{1,60}\.[\w.]{2,60}|curl \w[\w-]{1,60}\.\w|wget \w[\w-]{1,60}\.\w)(?: ?[;"
        r"|&#)\n]| ?$| -)",
    ),
    (
        3,
        "perhaps a program after a separator",
        r"[;|&] ?(?:id|env|ps|dir|hostname|set|whoami|ls|pwd|uname|ver|ipconfig|ping|sleep \d{1,5}"
        r"|ping \w[\w.-]{3,60}|cat \w{1,30}\.\w{1,5})(?: ?[;|&#)]| ?$)",
    ),
    (
        4,
        "a program after a separator",
        r"[;|&] ?(?:echo|printf) ?[\w$'\"`%\\]",
        r"[;|&] ?net (?:user|localgroup|view|use|start)\b",
        r"[;|&] ?(?:touch|mkdir|rm|kill|type|cat|nc|mv|cp) [\w.$/-]{1,60}(?: [\w./>|-]{1,40})?(?: ?[;"
        r"|&#)]| ?$)",
    ),
    (
        5,
        "runs a program inside a text",
        r"\$\( ?(?:cat|ls|id|whoami|uname|wget|curl|nc|ncat|netcat|bash|sh|zsh|ksh|python3?|perl|ruby|php"
        r"|ping|nslookup|dig|telnet|rm|chmod|chown|kill|ps|env|printenv|echo|sleep|ifconfig|ipconfig"
        r"|netstat|dir|type|net|powershell|cmd|tasklist|touch|head|tail|less|more|find|grep|awk|sed|tee"
        r"|xargs|base64|ssh|scp|ftp|tftp|certutil|bitsadmin|reg|wmic|mount|nohup|crontab|useradd|passwd"
        r"|sudo|su|reboot|hostname|pwd|which|mkfifo|dd|tar|socat|systeminfo|mv|cp|ln|printf|busybox)\b",
        r"\$\(<",
        r"\$\(\(?[^)\n]{1,60}\)",
    ),
    (
        3,
        "perhaps runs a program inside a text",
        r"`(?:cat|ls|id|whoami|uname|nc|ncat|netcat|bash|sh|zsh|ksh|python3?|perl|ruby|php|ping"
        r"|nslookup|dig|telnet|rm|chmod|chown|kill|ps|env|printenv|echo|sleep|ifconfig|ipconfig|netstat"
        r"|dir|type|net|powershell|cmd|tasklist|touch|head|tail|less|more|find|grep|awk|sed|tee|xargs"
        r"|base64|ssh|scp|ftp|tftp|certutil|bitsadmin|reg|wmic|mount|nohup|crontab|useradd|passwd|sudo|su"
        r"|reboot|hostname|pwd|which|mkfifo|dd|tar|socat|systeminfo|mv|cp|ln|printf|busybox)\b[^`\n]{0,100}`",
    ),
    (
        5,
        "a disguise of shells",
        r"\$\{?ifs\b",
        r"\$\{path:",
        r"\$\{home:",
        r"\$@\w",
        r"\$\{?[a-z_]{1,20}:\d",
        r"\$'\\x?\d",
    ),
    (
        5,
        "a trick of shells",
        r"/dev/(?:tcp|udp)/",
        r"\(\) ?\{ ?:? ?;? ?\}? ?;",
        r"/[?*\[]{1,4}[a-z]{0,3}[?*\]]{1,4}[/ ]",
        r"\{(?:cat|ls|wget|curl|nc|ping|id|echo),[^}\n]{0,80}\}",
    ),
    (
        4,
        "the path of a program",
        r"/(?:usr/)?(?:local/)?s?bin/(?:ba|z|k|da|c|tc)?sh\b",
        r"/(?:usr/)?(?:local/)?s?bin/(?:cat|ls|id|nc|ping|echo|python3?|perl|wget|curl|env|whoami|uname|nmap)\b",
    ),
    (
        5,
        "a program of Windows",
        r"\bcmd(?:\.exe)? ?/[ck]\b",
        r"\bpowershell(?:\.exe)? ?(?:-\w|iex|/|\(|invoke)",
        r"\biex ?\(",
        r"\binvoke-(?:expression|webrequest|command)",
        r"\bdownload(?:string|file) ?\(",
        r"\bcertutil(?:\.exe)? -",
        r"\bbitsadmin /",
        r"\brundll32\b",
        r"\bregsvr32\b",
        r"\bmshta\b",
        r"\bwscript\.shell",
    ),
    (
        3,
        "fetches something",
        r"\b(?:wget|curl) (?:-[\w -]{0,40} )?['\"]?(?:https?://|\d{1,3}\.\d)",
    ),
    (
        4,
        "a command",
        r"\b(?:nc|ncat|netcat) -\w{0,5}[elcp]\w{0,3} ",
        r"\bping -[cnti] ?\d",
        r"\brm -[rf]{1,3} ",
        r"\bchmod (?:[0-7]{3,4}|[ugoa]?\+[rwxs]{1,3}) ",
        r"\b(?:python3?|perl|php|ruby|node|lua) -[cer] ?['\"]",
        r"\b(?:ba|z)?sh -[ic]\b",
        r"\bbase64 (?:-d|--decode)\b",
        r"\bmkfifo /",
        r"\bsocat \w{2,10}[:-]",
        r"\btelnet [\w.]{3,60} \d",
        r"\bcrontab -",
    ),
    (
        4,
        "pipes into a program",
        r"\| ?(?:/bin/)?(?:ba|z|k|da)?sh\b(?: ?[;|&#]| ?$)",
        r"\| ?(?:python3?|perl|tee /|xargs )",
        r">{1,2} ?/(?:dev|tmp|var|etc|proc)/\w",
        r"[12]>&[12]",
        r"< ?/etc/",
    ),
    (
        4,
        "calls a shell from a program",
        r"\b(?:system|exec|execfile|passthru|shell_exec|popen|proc_open|pcntl_exec|os\.popen|os\.system"
        r"|subprocess\.[a-z_]{3,14}|execsync|spawn|child_process|eval|assert|require|compile)"
        r"['\"]?\)?(?:\.exec)?\w{0,4}\( ?['\"$\[`_(]",
    ),
    (
        4,
        "a program's name in disguise",
        r"[;|&`(] ?[a-z]{1,8}(?:''|\"\"|\\[a-z]|'[a-z]'|\"[a-z]\"|\$\d|\$@|\$\*)[a-z]",
    ),
    (
        3,
        "perhaps a line for a shell",
        r"^ ?(?:cat|ls|dir|type|rm|wget|curl|chmod|chown|ping|uname|nc|ncat|netstat|del|copy|ps|net|sudo|bash|sh) "
        r"(?:-{1,2}[a-z]{1,12}\b|/[a-z]{1,12}|[a-z]:\\|%[a-z]{1,20}%|~/)",
        r"[;|&] ?(?:systeminfo|sysinfo|tasklist|netstat|ifconfig|reg (?:add|query|delete)|sc query|wmic)\b",
        r"[;|&] ?/(?:usr/)?s?bin/\w",
    ),
)
