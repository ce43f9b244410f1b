"""The caption of each plot of the report."""

from __future__ import annotations

from collections.abc import Mapping

CAPTIONS: Mapping[str, str] = {
    "images_per_class": "How many images each class has.",
    "file_sizes": "How large the image files of each class are. Classes that differ here can be "
    "told apart without looking at what is in the image.",
    "heights_and_widths": "How high and wide the images of each class are, in pixels.",
    "learning_rate_range": "The range test of each stage that has one: the loss while the learning "
    "rate grows from step to step. Red: the rate that the stage was trained with.",
    "learning_rate": "The learning rate of each step.",
    "batch_loss": "The loss of each batch, and its running mean. Left: of training, with "
    "augmentation and dropout. Right: of the validation images, measured at the end of each epoch.",
    "loss": "Loss at the end of each epoch, without augmentation. The weights of the lowest "
    "validation loss, among the epochs at the exported size, are kept.",
    "accuracy": "Fraction of right answers at the end of each epoch.",
    "seconds": "Wall time of each epoch, of training and measuring.",
    "classes": "Precision, recall and F1 of the classes at the end of each epoch.",
    "confusion": "Each row is a class, each column an answer. The darker a cell, the larger its "
    "share of its row.",
    "confusion_normalised": "What fraction of a class's images got which answer.",
    "recall": "Of each class's images, the fraction that is answered with it.",
    "precision": "Of the images that are answered with a class, the fraction that is of it.",
    "sources": "Fraction of right answers to the images of each source.",
    "reliability": "How often answers of a confidence are right. Blue: the fraction that is right; "
    "red: the mean confidence; the numbers count images. ECE is the mean distance between blue and "
    "red. Left: as the network was trained; right: with the temperature that the exported "
    "version has, found on the validation images.",
}
