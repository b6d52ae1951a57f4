"""The bundle's README, English and Chinese."""

from __future__ import annotations

from typing import Final

ENGLISH: Final = """\
Evidence about {aggregate} {subject}
as the ledger {ledger} knew it when it had {size} entries.

What is in here
  history.html     what happened, in words, English and Chinese; open it in a browser
  history.json     the same for programs
  entries/         the entries of the log, byte for byte as they are stored; published rule books are among them
  proofs.json      for each of them, the proof that it is in the log
  checkpoint       the signed statement of how many entries the log had, and of the root of the tree over them
  keys.txt         the ledger's public keys, the last one signs now
  figures.json     the ledger's figures then, each with the stamp by which it can be computed again
  texts.json       the keys of the encrypted texts that the history shows, each of which opens that one text{without}
  manifest.json    the SHA-256 of every file; manifest.note is the ledger's signature over it
  verify.py        checks all of this; read it first, it takes ten minutes

How to check it, without the ledger and offline (Python 3.9 or later)
  pip install cryptography
  unzip -p THIS.zip verify.py > verify.py
  python verify.py THIS.zip --key "THE LEDGER'S VERIFIER KEY"

Get that key from elsewhere than this file: whoever makes a bundle up can put a key of their own into it.

What is proven: that these entries were in the log, at these positions, unaltered since the checkpoint was signed;
that the
subject's own entries are complete up to the last one here; that the history shows what the entries say; that the ledger
signed all of it. What is not: that what was told was true; that nothing was told later; that no other entry concerns
the
subject; that figures and words are right, which the ledger signed and which can be made again from its log alone.
"""
CHINESE: Final = """\
关于 {aggregate} {subject} 的证据
账本 {ledger} 共有 {size} 条记录时的内容。

内容
  history.html     经过（中文、英文），用浏览器打开
  history.json     同上，供程序读取
  entries/         账本中的原始记录，逐字节与存储一致，其中包括已发布的规则
  proofs.json      每条记录存在于账本中的证明
  checkpoint       已签名的声明：账本有多少条记录，以及其哈希树的根
  keys.txt         账本的公钥，最后一个为当前签名所用
  figures.json     当时的指标，每项附有可重新计算的凭证
  texts.json       经过中所示加密文本的密钥，每个密钥只能打开一条文本{without_zh}
  manifest.json    每个文件的 SHA-256；manifest.note 是账本对它的签名
  verify.py        检查以上全部内容；请先阅读，约需十分钟

如何检查：无需账本，可离线进行（Python 3.9 或更高版本）
  pip install cryptography
  unzip -p THIS.zip verify.py > verify.py
  python verify.py THIS.zip --key "账本的公钥"

公钥须从本文件之外取得：伪造者可以放入自己的公钥。

已证明：这些记录在账本中的这些位置，自检查点签名以来未被改动；该对象自身的记录到此处最后一条为止是完整的；经过所示即记录所述；
以上全部由账本签名。未证明：所述是否属实；此后是否另有记录；是否另有涉及该对象的记录；指标与文字是否正确——它们由账本签名，
并可从账本重新得出。
"""


def readme(aggregate: str, subject: str, size: int, ledger: str, *, texts: bool) -> str:
    """The text, in both languages."""
    words = {
        "aggregate": aggregate,
        "subject": subject,
        "size": f"{size:,}",
        "ledger": ledger,
        "without": "" if texts else "\n                   (none: personal texts were left out)",
        "without_zh": "" if texts else "（无：个人信息未包含在内）",
    }
    return f"{ENGLISH.format(**words)}\n{CHINESE.format(**words)}"
