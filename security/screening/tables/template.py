"""Expressions and tags that a template engine on the server would evaluate.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        5,
        "an expression of a template",
        r"\{\{ ?['\"]?-?\d{1,10}['\"]? ?[*+/-] ?['\"]?\d",
        r"\{\{[^{}\n]{0,200}?(?:__|\(|\[|\bconfig\b|\bself\b|\brequest\b|\blipsum\b|\bcycler\b|\bjoiner\b"
        r"|\bsettings\b|\bconstructor\b|\bgetflashed|\bdump\b|\bdebug\b|\bapp\b|\b_self\b|\bthis\b|\bglobals\b)",
    ),
    (
        3,
        "perhaps an expression of a template",
        r"\{\{ ?['\"=#^&>!*]",
        r"\{\{[^{}\n]{0,100}\|[^{}\n]{0,60}\}\}",
    ),
    (
        5,
        "an expression of a template",
        r"[$#*@~&%]\{ ?[^{}\n]{0,100}?(?:\d ?[*+/-] ?\d|\(|\bt\(|\bjava\b|\bruntime\b|\bclass\b|@|jndi"
        r"|env:|sys:|lower:|upper:|::|system|#_|\[|\bself\b|\bsession\b|\.getclass)",
    ),
    (
        5,
        "log4j's lookup",
        r"\bjndi ?: ?(?:ldaps?|rmi|dns|iiop|corba|nds|https?|\$)",
    ),
    (
        4,
        "a tag of a template",
        r"\{%-? ?(?:if|for|import|from|include|set|debug|extends|load|raw|with|macro|print|block|call"
        r"|autoescape|csrf|verbatim|do|use|apply|filter|do)\b",
    ),
    (
        5,
        "a tag of a template",
        r"<%[=@!#-]? ?[^%\n]{0,100}?(?:\d ?[*+/-] ?\d|\(|`|system|exec|\bfile\b|\bdir\b|runtime|self|import)",
    ),
    (
        5,
        "a directive of a template",
        r"<\?(?:php|=)",
        r"<#(?:assign|list|if|import|include|macro|function)",
        r"</?\$",
        r"freemarker\.template",
        r"\?new ?\(",
        r"\?(?:api|eval|interpret)\b ?[.}(]",
        r"#set ?\( ?\$",
        r"#(?:evaluate|include|parse|foreach) ?\( ?['\"$]",
        r"\$class\.",
        r"\$\w{1,20}\.(?:inspect|getclass|class)\b",
    ),
    (
        4,
        "Python's innards",
        r"__(?:class|mro|subclasses|globals|builtins|import|base|bases|getitem|code|reduce|reduce_ex"
        r"|getattribute|self|loader|spec)__",
    ),
    (
        5,
        "Java's innards",
        r"\b(?:getruntime|forname|newinstance|processbuilder|getengineby|scriptengine\w{0,10}"
        r"|objectconstructor|getdeclared\w{4,12}) ?\(",
        r"@java\.lang",
        r"#_memberaccess",
        r"@ognl",
        r"\bjava\.lang\.(?:runtime|process|system|class)",
    ),
    (
        5,
        "an expression of a template",
        r"\{/?php\}",
        r"\{(?:system|exec|passthru|shell_exec|phpinfo|eval|self::|\$smarty|smarty\.|include file)",
        r"@\( ?\d{1,10} ?[*+-] ?\d",
        r"\[\[ ?\$\{",
        r"__\$\{",
        r"#\{ ?\d",
        r"\{# ?\d",
        r"\*\{ ?\d",
        r"\[\[ ?\d{1,9} ?\* ?\d",
    ),
)
