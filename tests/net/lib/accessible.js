// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with the page as it is shown, for whoever sees badly, has a keyboard only, or has it read out: a list of texts.
(() => {
	const faults = [];
	const name = (node) => node.tagName.toLowerCase() + (node.id && "#" + node.id) + " " + node.textContent.trim().slice(0, 30);
	const seen = (node) => node.checkVisibility() && node.getClientRects().length > 0 && node.getBoundingClientRect().right > 0;
	// Contrast, WCAG 2.1 criterion 1.4.3.
	const numbers = (color) => (color.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
	const over = (top, below) => {
		const alpha = top[3] === undefined ? 1 : top[3];
		return [0, 1, 2].map((i) => top[i] * alpha + below[i] * (1 - alpha));
	};
	const back = (node) => node ? over(numbers(getComputedStyle(node).backgroundColor), back(node.parentElement)) : [255, 255, 255];
	const light = (color) => {
		const [r, g, b] = color.map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	for (const node of document.querySelectorAll("body *")) {
		const style = getComputedStyle(node);
		if (!seen(node) || ![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
			continue;
		const front = numbers(node instanceof SVGElement ? style.fill : style.color), behind = back(node);
		const [dark, bright] = [light(over(front, behind)), light(behind)].sort((a, b) => a - b);
		const ratio = (bright + 0.05) / (dark + 0.05), size = parseFloat(style.fontSize);
		if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5))
			faults.push("contrast " + ratio.toFixed(2) + ": " + name(node));
	}
	// Names, labels, order.
	for (const node of document.querySelectorAll("button, a, [tabindex='0'], summary"))
		if (seen(node) && !(node.getAttribute("aria-label") || node.textContent.trim()))
			faults.push("no name: " + name(node));
	for (const node of document.querySelectorAll("input, select"))
		if (!node.labels.length && !node.getAttribute("aria-label"))
			faults.push("no label: " + name(node));
	const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
	ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => faults.push("twice: #" + id));
	for (const node of document.querySelectorAll("[aria-labelledby]"))
		if (!document.getElementById(node.getAttribute("aria-labelledby")))
			faults.push("labelled by nothing: " + name(node));
	let level = 0;
	for (const node of document.querySelectorAll("h1, h2, h3, h4")) {
		if (Number(node.tagName[1]) > level + 1)
			faults.push("skips a level: " + name(node));
		level = Number(node.tagName[1]);
	}
	for (const table of document.querySelectorAll("table"))
		if (!table.caption || ![...table.tHead.rows[0].cells].every((cell) => cell.scope === "col"))
			faults.push("table without caption or heads: " + name(table));
	if (!document.documentElement.lang || document.querySelectorAll("h1").length !== 1)
		faults.push("no language, or not one h1");
	// What is touched has some size, criterion 2.5.8.
	for (const node of document.querySelectorAll("button, nav a, .choice label, select")) {
		const box = node.getBoundingClientRect();
		if (seen(node) && (box.height < 24 || box.width < 20))
			faults.push("small: " + name(node) + " " + box.width + "x" + box.height);
	}
	if (document.documentElement.scrollWidth > innerWidth)
		faults.push("wider than the window: " + document.documentElement.scrollWidth + " of " + innerWidth);
	return faults;
})()
