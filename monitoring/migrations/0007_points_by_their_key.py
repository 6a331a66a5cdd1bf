"""On SQLite the points of the roll-ups lie in the order of their key, in one tree with it (WITHOUT ROWID).

As Django makes a table, each point lies where it came to be written and is looked up by a second tree: a day of minutes
is 65,000 such look-ups. The columns stand in the order of the key too: where they do not, `PRAGMA integrity_check` of
SQLite 3.40 takes numbers for NULL.
"""

from django.db import migrations

_SERIES = '"series_id" bigint NOT NULL REFERENCES "metric_series" ("id") DEFERRABLE INITIALLY DEFERRED'
_TABLES = {
    'metric_point': ('"series_id", "step", "at"', f'{_SERIES}, "step" smallint NOT NULL, "at" bigint NOT NULL'),
    'metric_day': ('"series_id", "at"', f'{_SERIES}, "at" bigint NOT NULL'),
}


def lay_by_key(apps, schema_editor):
    if schema_editor.connection.vendor != 'sqlite':
        return
    for table, (key, columns) in _TABLES.items():
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql > ''", [table])
            indexes = [sql for (sql,) in cursor.fetchall()]
            cursor.execute(f'CREATE TABLE "new__{table}" ({columns}, "value" real NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID')
            cursor.execute(f'INSERT INTO "new__{table}" ({key}, "value") SELECT {key}, "value" FROM "{table}"')
            cursor.execute(f'DROP TABLE "{table}"')
            cursor.execute(f'ALTER TABLE "new__{table}" RENAME TO "{table}"')
            for index in indexes:
                cursor.execute(index)


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0006_last_backup'),
    ]

    # An earlier release reads and writes such a table as well.
    operations = [migrations.RunPython(lay_by_key, migrations.RunPython.noop)]
