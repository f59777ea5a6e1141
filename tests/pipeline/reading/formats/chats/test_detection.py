"""Chats are told apart from other text files by their lines."""

import pytest

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.chats.detection import detect, with_chat_format
from tests.pipeline.reading.formats.chats.exports import KAKAOTALK, WHATSAPP
from tests.pipeline.reading.formats.chats.test_kakaotalk import MESSAGES


@pytest.mark.parametrize("form", KAKAOTALK)
def test_kakaotalk_is_found(form):
    assert detect("\ufeff" + KAKAOTALK[form](MESSAGES).replace("\n", "\r\n"), "a.txt") == "kakaotalk"


@pytest.mark.parametrize("form", WHATSAPP)
def test_whatsapp_is_found(form):
    assert detect(WHATSAPP[form](MESSAGES), "a.txt") == "whatsapp"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "그냥 글\n[이두리] [오후 3:10] 라는 줄이 있어요\n",
        "id\ttext\n1\t좋아요\n",
        "2026-11-20 15:10:00 INFO: started\n2026-11-20 15:10:01 INFO: done\n",
        "2026-11-20,15:10,가,말\n",
        "말 1\n말 2\n",
    ],
)
def test_other_files_are_no_chats(content):
    assert detect(content, "a.txt") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_a_text_file_in_any_encoding_gets_the_format_of_its_messenger(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(KAKAOTALK["pc"](MESSAGES).replace("😀", "").encode(encoding))
    assert with_chat_format(InputFile(path, "txt", None)).format == "kakaotalk"
    assert with_chat_format(InputFile(path, "txt", None), "lines").format == "txt"
    assert with_chat_format(InputFile(path, "csv", None)).format == "csv"
    assert with_chat_format(InputFile(path, "csv", None), "whatsapp").format == "whatsapp"


def test_a_csv_file_keeps_its_columns():
    assert detect(KAKAOTALK["pc"](MESSAGES), "a.csv") is None
    assert detect('Date,User,Message\n2026-11-20 13:00:11,"이두리","안녕"\n', "a.csv") is None
