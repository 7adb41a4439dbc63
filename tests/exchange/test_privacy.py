"""What names a patient: kept out of the project, and copied only on demand."""

from __future__ import annotations

import pytest

import dicoms
from scans import LIVER, VOLUME, with_mask
from src_core.errors import UserError
from src_core.exchange import (
    ExportOptions,
    add_files,
    export_project,
    import_table,
)
from src_core.exchange.references import References
from src_core.store import Project

pydicom = pytest.importorskip("pydicom")


def test_names_are_copied_only_on_demand(project, tmp_path):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME, PatientBirthDate="19640812")
    with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "plain", "dicom-seg")
    assert b"Muster" not in path.read_bytes()
    options = ExportOptions(names=True)
    (named,) = export_project(project, tmp_path / "named", "dicom-seg", options)
    data = pydicom.dcmread(named)
    assert (str(data.PatientName), data.PatientID) == ("Muster^Erika", "4711")
    assert data.PatientBirthDate == "19640812"
    (tmp_path / "ct").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="no longer at"):
        export_project(project, tmp_path / "again", "dicom-seg", options)


SECRETS = {
    "PatientName": "Geheim^Gerda",
    "PatientID": "ID-98765",
    "PatientBirthDate": "19520307",
    "PatientAddress": "Gartenweg 12",
    "PatientTelephoneNumbers": "0123456",
    "OtherPatientIDs": "OTHER-55",
    "AccessionNumber": "ACC-4242",
    "InstitutionName": "St. Elsewhere",
    "ReferringPhysicianName": "Doktor^Dora",
    "OperatorsName": "Operator^Otto",
    "StudyDescription": "studydescr",
    "SeriesDescription": "seriesdescr",
    "ImageComments": "commentary",
    "StudyDate": "20210304",
    "DeviceSerialNumber": "SN-1234567",
    "ProtocolName": "protoname",
}


def test_nothing_of_a_patient_is_in_the_project(project, tmp_path):
    """Every byte of every file, but the two private ones that are kept apart."""
    dicoms.save_series(
        tmp_path / "Geheim", VOLUME, **SECRETS, StudyInstanceUID="1.2.777.888"
    )
    with_mask(project, tmp_path / "Geheim", LIVER, "liver")
    kept_apart = {project.references_dir, project.path / "groups.jsonl"}
    words = [word for value in SECRETS.values() for word in value.split("^")]
    for path in project.path.rglob("*"):
        if not path.is_file() or kept_apart & {path, path.parent}:
            continue
        content = path.read_bytes()
        told = [w for w in (*words, "1.2.777.888") if w.encode() in content]
        assert told == [], path
    names = " ".join(str(p.relative_to(project.path)) for p in project.path.rglob("*"))
    assert not any(word in names for word in words)
    [private] = project.references_dir.iterdir()
    assert private.stat().st_mode & 0o077 == 0
    # the way to the files is kept, the patient's name and number are not
    content = private.read_text()
    assert "1.2.777.888" in content
    assert not any(word in content for word in words if word != "Geheim")


def test_a_backup_leaves_the_archives_identifiers_out(project, tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    image = with_mask(project, tmp_path / "ct", LIVER, "liver")
    for names in (False, True):
        file = project.backup(tmp_path / f"{names}.zip", names=names)
        with Project.from_backup(file, tmp_path / f"restored {names}") as restored:
            assert (References(restored).of(image.id) is not None) is names
            assert restored.verify() == []


@pytest.mark.parametrize("names", [True, False])
def test_a_patient_is_known_again_after_a_backup_with_names(project, tmp_path, names):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    first = with_mask(project, tmp_path / "ct", LIVER, "liver")
    file = project.backup(tmp_path / "b.zip", names=names)
    dicoms.save_series(tmp_path / "later", VOLUME + 1)
    with Project.from_backup(file, tmp_path / "restored") as restored:
        assert restored.nameless_groups() == ([] if names else [first.group])
        assert add_files(restored, [tmp_path / "later"], who="ada").added == 1
        later = next(i for i in restored.images() if i.id != first.id)
        assert (later.group == first.group) is names


@pytest.mark.parametrize("shared", [False, True])
def test_a_patient_whom_a_table_named_is_known_by_other_files(tmp_path, shared):
    rows = ["image,group,split", "0,Anna,test", *(["1,Berta,test"] if shared else [])]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    for n in range(4):
        dicoms.save_series(tmp_path / str(n), VOLUME + n, PatientID="7")
    with Project.create(tmp_path / "project", who="ada") as made:
        import_table(made, tmp_path / "table.csv", who="ada")
    with Project.open(tmp_path / "project", mode="rw") as project:
        later = add_files(project, [tmp_path / "2", tmp_path / "3"], who="ada")
        groups = [image.group for image in project.images()]
    if shared:  # "7" is then what an archive calls everybody
        assert (later.added, len(groups), len(set(groups))) == (2, 4, 3)
    else:
        assert later.added == 0
        assert all("are for test" in reason for _, reason in later.failed)
