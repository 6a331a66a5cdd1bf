"""SQL injection: a value that ends the text it stands in and goes on as a query.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        5,
        "joins the answer of a second query",
        r"\bunion\b(?: all| distinct)?[ (]{1,3}select\b[^\n]{0,60}?(?:\bnull\b|\bfrom\b|@@|['\"(\d]"
        r"|\b[a-z_]{1,20} ?,[^ ])",
    ),
    (
        5,
        "a condition that is always true",
        r"(?:\b(?:or|and|having|where|not)\b|\|\||&&|['\")]) ?[('\"]{0,3}(\w{1,20})['\"]{0,2} ?(?:=|like"
        r"|<=>|is|in) ?[('\"]{0,3}\1(?!\w)",
    ),
    (
        3,
        "compares one number with another",
        r"(?:\b(?:or|and|having|where)\b|\|\||&&) ?[(]{0,3}-?\d{1,10} ?(?:=|<|>|!=|<>|like|between"
        r"|in) ?[(]{0,2}-?\d",
    ),
    (
        3,
        "compares one text with another",
        r"(?:\b(?:or|and|xor)\b|\|\||&&) ?[(]{0,3}['\"][^'\"\n]{0,20}['\"] ?(?:=|<|>|!=|like|in\b|is\b"
        r"|between|rlike)",
    ),
    (
        2,
        "a quote, then a condition",
        r"['\"] ?[)]{0,3} ?(?:or|and|xor|&&|\|\|) ?[('\"\w!~-]",
    ),
    (
        4,
        "a condition that is always true, then nothing more",
        r"\b(?:or|and)\b ?[(]?(?:true|1|not false|not 0|exists|'1'|!0|~0) ?['\")]?(?: ?(?:--|#|;"
        r"|\blimit\b)| ?$)",
    ),
    (
        3,
        "closes a text and comments out what follows",
        r"['\"][)]{0,3};?(?:--|#)",
    ),
    (
        2,
        "perhaps closes a text and comments out what follows",
        r"['\"] [)]{0,3} ?;? ?(?:--|#)",
    ),
    (
        4,
        "compares numbers",
        r"\b(?:or|and|where|having)\b ?\(?-?\d{1,10} ?[-+*/] ?\d{1,10} ?(?:=|<|>)",
    ),
    (
        4,
        "a quote, then a condition on a column",
        r"['\"] ?[)]{0,3} ?(?:or|and|\|\||&&) ?\(?[\w.]{1,40} ?(?:like|=|in|is|<|>|!=|rlike|between) ?['\"(\d]",
    ),
    (
        4,
        "stops the database",
        r"['\")\d] ?; ?shutdown\b ?(?:;|--|with\b|$)",
    ),
    (
        4,
        "ends in a comment right after a value",
        r"['\"\d)] ?[)]{0,3};? ?(?:--|#)[ +-]{0,3}$",
    ),
    (
        5,
        "a second statement after a value",
        r"['\")\d] ?; ?(?:select|insert|update|delete|drop|alter|create|truncate|exec|execute|declare"
        r"|shutdown|waitfor|copy|grant)\b ?(?:@|\(|table|database|schema|user|into|from|view|sleep|delay"
        r"|master|xp_|pg_|[a-z_]{1,30} set\b|[a-z_*,]{1,30} from\b)",
    ),
    (
        4,
        "a second statement",
        r"; ?(?:select|insert|update|delete|drop|alter|create|truncate|exec|execute|declare|shutdown"
        r"|waitfor|copy|grant)\b (?:table|database|schema|into|from|user|role|xp_\w"
        r"|[a-z_*,]{1,30} (?:from|set)\b)",
    ),
    (
        2,
        "a query",
        r"\bselect\b[^\n]{1,80}?\bfrom\b",
    ),
    (
        3,
        "a query inside another",
        r"\([(]{0,3} ?select\b",
    ),
    (
        3,
        "a query of everything or of itself",
        r"\bselect\b ?(?:@@|null\b|\d|'|top \d)",
    ),
    (
        4,
        "names the catalogue of the database",
        r"\binformation_schema\b",
        r"\bsqlite_(?:master|schema|version)",
        r"\bpg_(?:catalog|shadow|user|tables|stat_activity)\b",
        r"\bsys\.(?:tables|objects|databases|user)",
        r"\bsys(?:objects|columns|databases|users)\b",
        r"\bmysql\.(?:user|db)\b",
        r"\ball_(?:tables|tab_columns|users)\b",
        r"\bmaster\.\.",
        r"\buser_tables\b",
    ),
    (
        5,
        "a function of databases that waits, reads files or fails on purpose",
        r"\b(?:pg_sleep|benchmark|extractvalue|updatexml|load_file|randomblob|sp_executesql|sp_oacreate"
        r"|lo_import|pg_read_file|pg_ls_dir|load_extension|xmltype|dblink|openrowset|openquery|exp ?\( ?~"
        r"|sys_context|dbms_[a-z_.]{2,30}|utl_[a-z_.]{2,30}|xp_[a-z]{3,20}|make_set|elt|row_count"
        r"|name_const|gtid_subset) ?\(",
    ),
    (
        5,
        "SQL Server",
        r"\bxp_(?:cmdshell|dirtree|regread|fileexist)\b",
        r"\bsp_(?:password|configure|oacreate)\b",
    ),
    (
        4,
        "waits",
        r"\bsleep ?\( ?['\"]?\d",
    ),
    (
        5,
        "waits",
        r"\bwaitfor (?:delay|time)\b",
    ),
    (
        4,
        "counts the columns",
        r"\border by \d{1,5} ?(?:--|#|;|$|,|/)",
    ),
    (
        3,
        "fails on purpose to name a column",
        r"\bgroup by [\w.,]{1,40} having\b",
        r"\bhaving ?['\"(]?\d{1,6}['\"]? ?(?:=|<|>|like|--|#)",
    ),
    (
        5,
        "writes a file",
        r"\binto ?(?:out|dump)file\b",
        r"\bprocedure analyse\b",
        r"\blines terminated by\b",
    ),
    (
        3,
        "writes a row",
        r"\binsert into [\w.\"`]{1,60} ?\(?[^\n]{0,80}?\bvalues\b ?\(",
        r"\binsert into [a-z_.]{1,40} select",
    ),
    (
        3,
        "deletes rows",
        r"\bdelete from [\w.\"`]{1,60}(?: ?;| ?--| ?$| where\b)",
    ),
    (
        3,
        "changes rows",
        r"\bupdate [\w.\"`]{1,60} set [\w.\"`]{1,60} ?=",
    ),
    (
        4,
        "drops a table",
        r"\b(?:drop|truncate|alter) (?:table|database|schema|view|user)"
        r"(?: if exists)? [\w.\"`]{1,60} ?(?:;|--|#|cascade\b)",
    ),
    (
        3,
        "drops a table",
        r"\b(?:drop|alter) (?:table|database|schema)(?: if exists)? [\w.\"`]{1,60} ?$",
    ),
    (
        3,
        "a condition as a value",
        r"\bcase when\b[^\n]{1,60}?\bthen\b",
        r"\bif ?\( ?[^,\n]{1,60},[^,\n]{1,40},",
    ),
    (
        3,
        "spells a text by numbers",
        r"\b(?:char|chr|nchar|unhex) ?\( ?['\"]?[\da-f]{2,3}\b",
    ),
    (
        4,
        "reads the database letter by letter",
        r"\b(?:ascii|ord|substr|substring|mid|left|right|length|concat|concat_ws|cast|convert|count|hex"
        r"|ifnull|group_concat) ?\( ?\(? ?(?:select|user|database|version|password|current_|@@|system_user|0x)",
    ),
    (
        4,
        "a variable of the database",
        r"@@(?:version|hostname|datadir|global|basedir|servername|identity)\b",
    ),
    (
        3,
        "asks the database who it is",
        r"(?:[^\w.]|^)(?:version|database|current_user|user|schema|system_user|session_user"
        r"|current_database) ?\(\)",
    ),
    (
        3,
        "glues a text to a query",
        r"['\"] ?(?:\|\||\+) ?(?:\(|['\"]|[a-z_]{2,30} ?\()",
    ),
    (
        4,
        "runs built SQL",
        r"\bdeclare ?@[a-z]",
        r"\bexec(?:ute)? ?\(? ?(?:immediate\b|xp_|sp_|master|@[a-z])",
    ),
    (
        3,
        "a condition",
        r"\b(?:rlike|regexp|sounds like) ?['\"(^]",
        r"\bnot? ?exists ?\( ?select",
    ),
    (
        3,
        "counts the columns",
        r"\bnull ?, ?null\b",
        r"\b\d ?, ?\d ?, ?(?:version|user|database|table_name|column_name|@@)",
    ),
    (
        2,
        "a text in hexadecimal",
        r"\b0x[0-9a-f]{8,64}",
    ),
    (
        4,
        "compares with an empty text, or one empty text with another",
        r"(?:\b(?:or|and)\b|\|\||&&) ?(?:''|\"\")(?! ?[,;.a-z])",
        r"^['\"] ?(?:[-&^*|+/%=<>]{1,2}|like|or|and) ?['\"]$",
    ),
    (
        3,
        "calls a function of the database",
        r"\bselect (?!count|sum|max|min|avg)[a-z_.]{2,40} ?\(",
        r"\bpg_[a-z]{3,30}\b",
    ),
    (
        4,
        "gives away rights or copies the database",
        r"\bcreate (?:user|role|login) \w{1,30} (?:identified|with password|with superuser)",
        r"\bgrant [a-z ,]{1,40} to \w{1,30} ?;",
        r"\bbackup database \w{1,30} to disk",
    ),
)
