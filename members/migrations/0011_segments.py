from pathlib import Path

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"

class Migration(migrations.Migration):

    dependencies = [
        ('members', '0010_stages'),
    ]

    operations = [
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[A-Z0-9][A-Z0-9._-]{0,63}$', 'Capitals, digits, dot, dash, underscore.')])),
                ('name', models.CharField(max_length=200)),
                ('kind', models.CharField(choices=[('STATIC', 'Static: by hand and by files'), ('DYNAMIC', 'Dynamic: by a condition')], default='STATIC', max_length=7)),
                ('condition', models.TextField(blank=True, help_text='In CEL, over the facts of a member.', max_length=2000)),
                ('active', models.BooleanField(default=True, help_text='Nobody counts as in a segment that is not active.')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('size', models.BigIntegerField(default=0, editable=False)),
                ('refreshed_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(editable=False)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('condition', ''), ('kind', 'STATIC')), models.Q(('kind', 'DYNAMIC'), models.Q(('condition', ''), _negated=True)), _connector='OR'), name='members_segment_condition')],
            },
        ),
        migrations.CreateModel(
            name='SegmentMember',
            fields=[
                ('pk', models.CompositePrimaryKey('segment_id', 'member_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(help_text='Exclusive; empty: for good.', null=True)),
                ('member', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.member')),
                ('segment', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.segment')),
            ],
            options={
                'indexes': [models.Index(fields=['member'], name='segment_of_member')],
            },
        ),
        migrations.RunSQL(
            (SQL / "segments.sql").read_text(), "DROP FUNCTION members_segment_codes; DROP FUNCTION IF EXISTS members_survivor;"
        ),
    ]
