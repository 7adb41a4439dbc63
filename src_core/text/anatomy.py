"""Words of anatomy that the paraphrases know."""

# fmt: off
from __future__ import annotations

ADJECTIVES = {
    "ventricle": "ventricular",
    "atrium": "atrial",
    "heart": "cardiac",
    "lung": "pulmonary",
    "liver": "hepatic",
    "kidney": "renal",
    "spleen": "splenic",
    "stomach": "gastric",
    "pancreas": "pancreatic",
    "prostate": "prostatic",
}
"""An organ, and its adjective before another noun: lung nodule, pulmonary nodule."""

PARTS = frozenset({
    "cavity", "lumen", "wall", "border", "margin", "cortex", "apex", "base",
    "chamber", "tumour", "tumor", "lesion", "nodule", "cyst", "mass", "infection",
    "opacity", "metastasis", "myocardium", "cartilage",
})
"""What an organ has, or can have: a liver lesion is a lesion of the liver."""

PAIRED = frozenset({
    "lung", "kidney", "breast", "eye", "ovary", "hip", "knee", "femur", "tibia",
    "fibula", "humerus", "radius", "ulna", "clavicle", "scapula", "shoulder",
    "hand", "foot", "arm", "leg", "ear", "orbit", "hippocampus", "hemidiaphragm",
    "hemithorax", "hemisphere",
})
"""Organs of which a body has a left and a right one, told apart by their place."""

ORGANS = frozenset(ADJECTIVES) | PAIRED | frozenset({
    "thyroid", "colon", "rectum", "oesophagus", "esophagus", "aorta", "retina",
    "cornea", "adrenal", "uterus", "skull", "spine", "rib", "brain", "bladder",
})

SIDED = PAIRED | {"ventricle", "atrium", "adrenal"}
"""What may carry a side as a part of its name."""

OF_NUMBERS = ORGANS | frozenset(ADJECTIVES.values()) | {"cell", "skin", "bone"}
"""Before a noun of `NUMBERS` they select nothing, as "largest" would."""

NUMBERS = {
    "nucleus": "nuclei",
    "cell": "cells",
    "polyp": "polyps",
    "lesion": "lesions",
    "nodule": "nodules",
    "tumour": "tumours",
    "tumor": "tumors",
    "cyst": "cysts",
    "gland": "glands",
    "metastasis": "metastases",
    "opacity": "opacities",
    "ulcer": "ulcers",
    "crypt": "crypts",
    "follicle": "follicles",
}
"""What is looked for wherever it is: one and many ask for the same mask."""

SPELLINGS = {
    "tumour": "tumor",
    "tumours": "tumors",
    "oesophagus": "esophagus",
    "haemorrhage": "hemorrhage",
    "oedema": "edema",
    "ischaemia": "ischemia",
    "fibre": "fiber",
    "fibres": "fibers",
}
