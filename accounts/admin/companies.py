"""Companies in the admin. Their identifiers are shown by their last four characters only."""

from django.contrib import admin

from accounts.admin.reading import SubjectAdmin, hidden_value, list_link, time_column
from accounts.identity.head_count import head_count
from accounts.identity.models import Company
from accounts.sessions.models import Session
from accounts.staff import acts


@admin.register(Company)
class CompanyAdmin(SubjectAdmin):
    """Read-only: a company changes its profile itself, over the API."""

    list_display = ("name", "email", "registered")
    search_fields = ("name", "email")
    search_help_text = "Part of a company's name or e-mail address, or a whole pseudonym or id."
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("name", "email", "phone_hidden", "people", "registered")}),
        ("Identifiers", {"fields": ("gstin_hidden", "pan_hidden")}),
    )
    registered = time_column("created_at", "Registered")

    def record_view(self, *, by: Session, obj: Company) -> None:
        acts.record_view_of_company(by=by, company=obj)

    @admin.display(description="Phone")
    def phone_hidden(self, company: Company) -> str:
        return hidden_value(lambda: company.phone)

    @admin.display(description="GSTIN")
    def gstin_hidden(self, company: Company) -> str:
        return hidden_value(lambda: company.gstin)

    @admin.display(description="PAN")
    def pan_hidden(self, company: Company) -> str:
        return hidden_value(lambda: company.pan)

    @admin.display(description="People")
    def people(self, company: Company) -> str:
        return list_link("accounts_user", str(head_count.read(company.pk)), company__id__exact=company.pk)
