mkdir -p .taskmaster/tasks old/data
cat > .taskmaster/tasks/tasks.json <<'END'
{"master": {"tasks": [
 {"id": 1, "title": "Agree on the grammar", "description": "With the team.", "details": "", "testStrategy": "", "status": "done", "priority": "high", "dependencies": [], "subtasks": []},
 {"id": 2, "title": "Write the parser", "description": "", "details": "By hand.", "testStrategy": "On the corpus.", "status": "pending", "priority": "medium", "dependencies": [1], "subtasks": [
  {"id": 1, "title": "Tokens", "description": "", "details": "", "status": "pending", "dependencies": []}]}
], "metadata": {"created": "2026-01-05T09:00:00Z", "updated": "2026-01-05T09:00:00Z", "description": "Tasks of master"}}}
END
echo '{"tasks": [{"id": "TSK-001", "title": "Old work", "status": "in progress"}]}' > old/data/tasks.json
echo '{"ideas": [{"id": "IDEA-1", "title": "A board", "text": "For everybody."}]}' > old/data/ideas.json
echo '[2025-05-31 23:50] Started' > old/data/meta_log.txt
